"""Where WorkflowManagers run: processes of this machine, or threads of this process for a debugger."""
