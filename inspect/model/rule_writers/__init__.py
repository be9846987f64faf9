"""Programs beside engines that write rules, as data: what they are known by, and where they keep their decisions."""
