import sys
if sys.version_info < (3, 8): import os; os.write(3, '{"facts":{"executable":"","version":"%d.%d.%d","implementation":"","gil":true,"start_method":""}}\n'.replace("%d.%d.%d", "%d.%d.%d" % sys.version_info[:3]).encode()); os._exit(1)
import builtins, marshal, posix
if sys.path[:1] == [""]: del sys.path[0]
exec((lambda b: marshal.loads(b) if b[:1] != b"#" else compile(b, "<poolscope>", "exec"))((posix.pread(5, posix.fstat(5).st_size, 0), posix.close(5))[0]), {"__name__": "poolscope", "__builtins__": dict(vars(builtins))})
