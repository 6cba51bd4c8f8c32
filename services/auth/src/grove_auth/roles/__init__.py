"""Roles: what each permits, who may hand them on, and that an administrator is always left."""
