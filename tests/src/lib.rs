//! A node in a namespace: the harness of the end-to-end tests.
