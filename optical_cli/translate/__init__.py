"""The baseline that the method set itself against: topics translated into the teacher's language."""

from optical_cli.translate.topics import translate_topics

__all__ = ["translate_topics"]
