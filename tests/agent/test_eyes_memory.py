"""Pictures and files are kept within bounds, by whoever showed them, and only in memory."""

from agent.chat.window import MOST_PICTURES, Exchange, Memory
from agent.incoming.attached import Attachment
from agent.types import Image
from tests.fakes.pictures import attached, png


def pictures(memory: Memory, place: str, caller: str = "console:ann") -> dict[str, Image]:
    """What somebody may ask about in a place."""
    return memory.pictures(place, caller, private=False)


def test_the_oldest_pictures_go_first() -> None:
    """No more bytes of pictures are kept than the rules say, over all conversations."""
    memory = Memory(None, 2 * len(png()))
    for number in range(3):
        memory.see(f"place{number}", "console:ann", [attached("a.png")], private=False)
    assert [len(pictures(memory, f"place{number}")) for number in range(3)] == [0, 1, 1]
    memory.see(
        "place2", "console:ann", [attached("a.png")], private=False
    )  # the same once more takes no more room
    assert len(pictures(memory, "place1")) == 1


def test_one_place_keeps_so_many_pictures() -> None:
    """However small they are, the oldest of a place go once there are more than are kept of it."""
    memory = Memory(None, 10**9)
    memory.see("there", "console:ann", [attached("a.png")], private=False)
    for number in range(MOST_PICTURES + 2):
        memory.see("here", "console:ann", [attached(f"{number}.png")], private=False)
    assert list(pictures(memory, "here")) == [f"{number}.png" for number in range(2, MOST_PICTURES + 2)]
    assert len(pictures(memory, "there")) == 1


def test_a_picture_is_its_owners() -> None:
    """Another one's of the same name takes no picture away, and who forgets lets go of their own alone."""
    memory = Memory(None, 10**9)
    mine, yours = attached("cat.png"), attached("cat.png", png(9, 9))
    memory.see("here", "discord:1", [mine], private=False)
    memory.see("here", "discord:2", [yours], private=False)
    assert pictures(memory, "here", "discord:1") == {"cat.png": mine.image}
    assert pictures(memory, "here", "discord:3") == {"cat.png": yours.image}
    memory.forget("here", "discord:2")
    assert pictures(memory, "here", "discord:2") == {"cat.png": mine.image}
    memory.forget("here")
    assert pictures(memory, "here", "discord:1") == {}


def test_files_are_kept_as_far_as_a_window_reaches() -> None:
    """The text of files is let go of once newer exchanges fill the window, for all time, and their words stay."""
    memory = Memory(None, 0)
    large = Attachment("a.txt", "text/plain", 20_000, "x" * 20_000)
    for number in range(6):
        memory.remember("here", Exchange(f"q{number}", "a", "console:ann", files=(large,)))
    kept = memory._said["here"]  # what is kept and never shown takes room all the same
    assert [len(each.files) for each in kept] == [0, 0, 0, 0, 1, 1]
    assert len(memory.window("here", private=False)) == 6
