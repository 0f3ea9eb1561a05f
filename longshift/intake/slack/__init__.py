"""What people do in Slack comes in here, through Socket Mode: clicks, forms, and replies in the threads of sessions.

Nothing is kept in the process that a restart would lose. What is clicked while no gateway is connected is lost with
Slack itself; reminders bring the question again. What is shown there is posted by `workflows.bulletin`.
"""
