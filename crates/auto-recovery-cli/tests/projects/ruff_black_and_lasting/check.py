import ast
import sys

for file in sys.argv[1:]:
    for node in ast.walk(ast.parse(open(file).read())):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "print":
            print(
                f'{file}:{node.lineno}: error: Call to untyped function "print" [no-untyped-call]'
            )
            sys.exit(1)
