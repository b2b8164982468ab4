"""The dashboard. A page goes from what the reader set to what it shows:

    state (widgets <-> URL) -> data (cached runs) -> engine.figures (plot-ready tables, then figures) -> the page

``content`` holds the pages, ``widgets`` what they are put together from, ``components`` what the browser draws itself.
What computes needs no Streamlit: ``settings``, ``links``, ``escape``, ``tables`` and ``services`` know no
Streamlit.
Nothing here imports torch: a worker process does (``engine/single_image/worker.py``), and the command line.
"""
