"""The most common words of a text."""


def most_common(text: str, limit: int) -> list[tuple[str, int]]:
    """Words in lower case with their counts, the most frequent first; ties in alphabetical order."""
    words = text.lower().split()
    counted: list[tuple[str, int]] = []
    for word in words:
        for index, (known, count) in enumerate(counted):
            if known == word:
                counted[index] = (known, count + 1)
                break
        else:
            counted.append((word, 1))
    for end in range(len(counted) - 1, 0, -1):
        for index in range(end):
            (word, count), (other, more) = counted[index], counted[index + 1]
            if more > count or (more == count and other < word):
                counted[index], counted[index + 1] = counted[index + 1], counted[index]
    return counted[:limit]
