"""The least that a page with a figure can be: what the browser benchmark compares the dashboard's start with."""

import plotly.graph_objects as go
import streamlit as st

st.plotly_chart(go.Figure(go.Scatter(y=[1, 3, 2])), theme=None)
