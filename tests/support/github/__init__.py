"""A stand-in for GitHub: real HTTP on loopback over state in memory, and a real bare repository behind ``git http-backend``.

The package imports nothing by itself, for the sake of tests that do not need it: ``standin.GitHub`` is the stand-in.
A test asks for the fixture ``github`` (or ``secure_github``, over HTTPS) and does there what people do:

    issue = github.issue("Add a thing", "text", labels=["ready"], author=github.person("eve", "read"))
    github.blocked(issue, other); github.sub_issue(parent, issue); github.comment(issue, "by the way")
    github.merge(number); github.close(number); github.edit(number, title="Better"); github.move("branch", None)
    github.check(number, "test", "failure", log="..."); github.review(number, "COMMENTED", comments=[("a.py", 3, "?")])

Spinney is pointed at ``github.git_url`` (as the remote), ``github.api``, ``github.graphql``, with ``github.token``;
``github.environment()`` is that of a job of Actions. Then it looks at what there is: ``github.pulls()``,
``github.comments(issue)``, ``github.statuses()``, ``github.bare``, ``github.calls`` (``.api()``, ``.counting()``,
``.writes()``, ``.pushes()``), ``github.limits.refusals``. At the end ``github.violations`` must be empty: every request
and answer is held against GitHub's published OpenAPI description, every question against its GraphQL schema, and what
the stand-in does not serve is a violation too.

Things go wrong by ``github.fail(match, kind, at=1)`` and tests step in by ``github.when(match, act, when="after")``;
``faults`` says how requests are matched.

It behaves as GitHub does in what a client can rely on: numbers shared by issues and pull requests, heads that follow
pushes, pull requests that are merged when their base contains them, closing keywords (only towards the default branch),
bases that are deleted, renamed repositories (301, 307), transferred and deleted issues, refusals in GitHub's words,
permissions of people and of tokens, primary and secondary limits against ``github.clock``, ETags, pages, redirects of
logs to another host. ``github.lazy_mergeable`` and ``github.hidden_fields`` show its slower and its older side.

It does not have: forks (``pull.head_repository`` can be set to None by hand), projects, reactions, pending reviews,
timelines (but for changes of titles), rulesets (branches are protected by ``github.protect`` against pushes, and by ``repo.required_checks`` and
``repo.approvals`` against merges), webhooks (``events/`` has recorded payloads).
"""
