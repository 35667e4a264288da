"""``python -m ms_agents``, the same as ``ms-agents``."""

from ms_agents.cli import main

if __name__ == "__main__":
    main()
