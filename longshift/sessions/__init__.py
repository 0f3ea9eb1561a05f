"""A session as the engine, its workflows and the store tell it, and what people tell it: for every face alike.

How it looks, on a terminal or over HTTP, is a matter of the faces.
"""
