"""Words that combine into the names of a catalogue. Invented: no song, artist or label is meant."""

from __future__ import annotations


def _words(text: str, separator: str = " ") -> tuple[str, ...]:
    return tuple(text.split(separator))


ADJECTIVES = _words(
    "Amber Silver Golden Broken Electric Midnight Velvet Crystal Wild Silent Burning Frozen Neon Paper Hollow Distant "
    "Crimson Lonely Restless Tender Fading Endless Hidden Northern Southern Secret Sacred Heavy Little Gentle Bitter "
    "Sweet Empty Open Quiet Rolling Shining Falling Rising Stolen Wandering Borrowed Weightless Scarlet Marble Copper"
)
NOUNS = _words(
    "Love Heart River Mountain Summer Winter Mirror Shadow Ocean Highway Garden Thunder Window Station Harbor Signal "
    "Stranger Lantern Dancer Satellite Horizon Engine Avenue Cathedral Desert Island Machine Letter Diamond Feather "
    "Forest Fire Morning Evening Memory Promise Radio Rocket Sailor Season Silence Skyline Song Storm Street Tiger "
    "Train Valley Voice Water Wolf Carousel Compass Anchor Meadow Orchard Parade Lighthouse Postcard Telescope"
)
VERBS = _words(
    "Follow Leave Remember Forget Chase Call Hold Break Carry Dream Find Lose Paint Burn Believe Wait Run Turn"
)
PLACES = _words(
    "Lisbon Memphis Oslo Havana Kyoto Berlin Nashville Dakar Reykjavik Valencia Montreal Tbilisi Cork Naples"
)
FIRST_NAMES = _words(
    "Ada Amara Bruno Carla Cosima Dario Dinah Elias Esme Felix Freya Gideon Hana Idris Ines Jonah Juno Kofi Leona "
    "Lucia Malik Marlow Mina Nadia Nico Odette Omar Petra Quinn Rafael Rosa Sami Selma Tobias Thea Umar Vera Viggo "
    "Wren Zora"
)
LAST_NAMES = _words(
    "Abbott Adeyemi Bellamy Brandt Castellan Cole Dubois Eriksen Faulkner Fontaine Grant Hale Holloway Ibarra Jansen "
    "Kessler Lindqvist Moreau Navarro Okafor Pereira Quist Ramsey Sato Sinclair Tamm Ueda Vance Whitlock Yilmaz"
)
COUNTRIES = _words("BR CA CU DE ES FR GB GE IE IS IT JP MX NG NO PT SE SN US ZA")
LABELS = _words(
    "Alder Lane Records;Blue Ferry Music;Cartwheel;Dry Dock Recordings;Eleventh Hour;Fieldnote;Glasshouse Sound;"
    "Half Moon Records;Inkwell Music;Junction Seven;Kite String;Low Tide Recordings;Maple Court;Night Bus;Oak Parlour;"
    "Paper Crane;Quarry Road;Red Kettle Records;Slow Clock;Tin Roof Music",
    ";",
)
TAGS = _words(
    "acoustic alternative ambient animation ballad black-and-white blues choreography classic country cover dance "
    "disco documentary drama duet electronic festival folk funk gospel hip-hop house indie instrumental jazz latin "
    "live lo-fi love lyric metal official one-take performance pop protest psychedelic punk rap reggae remix rock soul "
    "studio summer synth techno unplugged vintage"
)
VERSIONS = ("Official Video", "Live", "Acoustic", "Lyric Video", "Remix", "One Take")
DESCRIPTIONS = (
    "Filmed in one night in {place} with a handheld camera and whoever was still awake.",
    "The second single of the record, directed by {name} and cut from two days on the road to {place}.",
    "A performance from the small stage in {place}; sound mixed from the desk by {name}.",
    "{name} plays the stranger who arrives in {place} too late and stays for the winter.",
    "Restored from the original tape, with the missing minute found again in an attic in {place}.",
)
