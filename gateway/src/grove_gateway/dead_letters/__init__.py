"""What services could not handle, for operators to look at and to hand back."""
