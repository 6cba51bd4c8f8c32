"""CAPTCHA: proof of work, asked of who guesses, and of everyone while many guess."""
