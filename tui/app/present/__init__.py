"""What the screens show, as plain rows: pure functions of (snapshot, report, selection).

Nothing here imports Textual, so all of it is tested without a terminal.
"""
