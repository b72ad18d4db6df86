"""Where each field of a message stands in the file it was read from."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Position:
    """The place of one field, and below it the places of the fields inside it.

    line and column count from 1; line 0 is the file itself. `fields` lists, by field name, one
    Position per value in order of appearance.
    """

    file: str
    line: int = 0
    column: int = 0
    fields: dict[str, list["Position"]] = field(default_factory=dict)

    def at(self, *path: str | int) -> "Position":
        """The place of a field below; its path is, say, "layer", 2, "pooling_param", "stride".

        An index picks one value of a repeated field (0 where left out). Where the field is not in
        the file, the nearest enclosing place.
        """
        if not path:
            return self
        name, rest = path[0], path[1:]
        index = 0
        if rest and isinstance(rest[0], int):
            index, rest = rest[0], rest[1:]
        places = self.fields.get(str(name), [])
        return places[index].at(*rest) if index < len(places) else self

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file
