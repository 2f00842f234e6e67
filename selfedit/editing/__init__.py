"""The edit language, and what it does to source: pure, and of no use to a proposal alone."""
