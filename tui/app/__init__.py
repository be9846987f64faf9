"""The Textual app.  Only :mod:`dnet_tui.tui.app.app` starts it; ``present`` never imports Textual."""
