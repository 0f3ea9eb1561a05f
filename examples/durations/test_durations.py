"""What a duration is, and what it is not."""

import unittest

from durations import seconds


class Durations(unittest.TestCase):
    """Durations in seconds."""

    def test_parts_are_added(self) -> None:
        self.assertEqual(5400, seconds("1h30m"))
        self.assertEqual(61, seconds("1m1s"))

    def test_anything_else_is_refused(self) -> None:
        for text in ("", "h", "1", "1x", "1h30", "-1h", "1 h"):
            with self.subTest(text), self.assertRaises(ValueError):
                seconds(text)


if __name__ == "__main__":
    unittest.main()
