"""Programs that try to get out of a sandbox, each against one of its walls. They run only inside one."""
