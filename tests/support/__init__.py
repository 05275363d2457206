"""What the tests share: drawn people, small projects, servers, waiting, killing, and how the tests are run."""
