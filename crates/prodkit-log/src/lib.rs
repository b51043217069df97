//! JSON or console log lines that carry their trace, through a bounded writer
