"""The check of exercise 1.2."""

ERROR_MESSAGES = {
    "KeyError: '(\\w+)'": (
        'a line uses `tasks["{0}"]` before another line makes it. Move the line that begins with `tasks["{0}"] =` '
        'up.'
    ),
    "(?:UnboundLocalError|NameError): .*'(\\w+)'": (
        'a line uses `{0}` before another line makes it. Move the line that begins with `{0} =` up.'
    ),
}
