"""The dashboard, one straight line a page:

    state (widgets <-> URL) -> data (cached runs) -> views (plot-ready tables) -> figures -> the page

``settings``, ``views``, ``explain``, ``pictures`` and ``figures`` know no Streamlit. Nothing here imports torch.
"""
