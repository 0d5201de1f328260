//! What two nodes in sync spend on the wire, counted by a proxy between them.
