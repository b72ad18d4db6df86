"""The command line: `caffepy VERB`, one verb a module, imported when it is called."""
