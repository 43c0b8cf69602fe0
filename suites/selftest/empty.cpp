// A program without tests: its source was left out, say.
