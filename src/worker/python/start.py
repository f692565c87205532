# What the process begins with, once everything that it needs was defined; or an interpreter in it.

_program = sys._getframe().f_code

if "_told" in globals():
    sys.argv[:] = [""]
    live_inside(parsed(_told), _board)
elif sys.argv[1:2] == ["__worker"]:
    main()
