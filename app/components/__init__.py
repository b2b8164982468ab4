"""What the browser draws itself, each a small module of JavaScript beside its Python: figures, dials, links."""
