# What the process begins with, once everything that it needs was defined.

if sys.argv[1:2] == ["__worker"]:
    main()
