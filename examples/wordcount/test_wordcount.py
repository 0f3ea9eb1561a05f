"""What the count of words gives."""

import unittest

from wordcount import most_common


class MostCommon(unittest.TestCase):
    """The most common words."""

    def test_the_most_frequent_come_first(self) -> None:
        self.assertEqual([("b", 3), ("a", 1)], most_common("b a B b", 2))

    def test_ties_are_in_alphabetical_order(self) -> None:
        self.assertEqual([("a", 1), ("b", 1), ("c", 1)], most_common("c a b", 3))

    def test_an_empty_text_has_no_words(self) -> None:
        self.assertEqual([], most_common(" \n", 5))


if __name__ == "__main__":
    unittest.main()
