"""Plain functions on pandas frames and the SQL that feeds them: statistics without a scheduler."""
