"""The portal: landing page, API reference, status, and the pages that mail links open."""
