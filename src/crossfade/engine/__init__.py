"""Thinking, pure: plans, routings, chances, causes, sameness, shapes. Values in, values out."""
