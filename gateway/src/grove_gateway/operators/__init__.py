"""Pages for operators: signed in on the portal, with the permission ops:view."""
