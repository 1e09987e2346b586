"""The reader's web browser, where there is one."""

from __future__ import annotations

import os
import webbrowser

__all__ = ["open_in_browser"]


def open_in_browser(address: str) -> bool:
    """Show an address in the browser; False where none can be opened.

    Browsers that live in a terminal are left alone unless ``BROWSER`` names one: they would take
    the terminal and run no scripts.
    """
    try:
        found = webbrowser.get()
    except webbrowser.Error:
        return False
    if type(found) is webbrowser.GenericBrowser and not os.environ.get("BROWSER"):
        return False
    return found.open(address)
