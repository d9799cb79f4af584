"""Workflows and actions of ours: the checkers run on them, and their script steps run by hand as GitHub would."""
