"""What planners know and decide: their files, and the demand that is planned for because of them."""
