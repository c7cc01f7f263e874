# SPDX-License-Identifier: BSD-2-Clause
"""The house rules that tools/tidy checks: tables first, then one function per rule.

A rule takes a Tree and yields Findings. Rules about C look at the code with comments and the text
of strings blanked out, so that prose never offends. docs/HACKING.md says how to add one.
"""
import os
import re
from collections import namedtuple

# --------------------------------------------------------------------------------- tables

# What a folder may include besides itself, and what is below it: see docs/ARCHITECTURE.md. Folders
# that are not named (bench, tests, fuzz, tools, docs, packaging) may include anything.
LAYERS = {
    'include': [],
    'src/base': [],
    'src/command': ['src/base'],
    'src/codec': ['src/base'],
    'src/store': ['src/base', 'src/codec'],
    'src/engine': ['src/base', 'src/store'],
    'src/host': ['src/base'],
    'src/wire': ['src/base'],
    'src/client': ['include', 'src/base', 'src/codec', 'src/store', 'src/engine', 'src/host', 'src/wire'],
    'src/save': ['include', 'src/base'],
    'src/xen': ['include', 'src/base', 'src/codec', 'src/engine', 'src/wire', 'src/client'],
    'src/xenctrl': ['include', 'src/base', 'src/xen'],
    'src/daemon': ['include', 'src/base', 'src/codec', 'src/store', 'src/engine', 'src/host', 'src/wire',
                   'src/client', 'src/save', 'src/xen', 'src/command'],
    'src/cli': ['include', 'src/command', 'src/xenctrl'],
    'frontends/fuse': ['include', 'src/command'],
    'frontends/nbdkit': ['include', 'src/command'],
    'frontends/tls': ['src/command'],
    'frontends/top': ['include', 'src/command'],
    'frontends/uffd': ['include', 'src/command'],
    'ports/xen': ['include', 'src/base', 'src/codec', 'src/store', 'src/engine', 'src/xen'],
}

# The one header of a folder that others see, by default FOLDER/FOLDER.h. Some have several.
INTERFACES = {'src/host': 'src/host/host_linux.h'}
OPEN_FOLDERS = {'include', 'src/base', 'src/wire', 'src/command'}

# Folders that compile without an operating system, and the headers of the compiler they may use.
FREESTANDING = ('src/base', 'src/store', 'src/engine')
FOUND_BY_FUZZERS = 'fuzz/corpus'  # bytes of any kind
FREESTANDING_HEADERS = {'stdbool.h', 'stddef.h', 'stdint.h', 'stdatomic.h', 'limits.h'}
PUBLIC_HEADERS = {'stdbool.h', 'stddef.h', 'stdint.h'}

# What goes into the library: it prints nothing and never ends its process.
LIBRARY = FREESTANDING + ('src/codec', 'src/host', 'src/wire', 'src/client', 'src/save', 'src/xen',
                         'src/xenctrl')

# (names, folders or None for all, what to use instead)
BANNED_CALLS = [
    (('strcpy', 'strcat', 'stpcpy', 'sprintf', 'vsprintf'), None,
     'snprintf() with the size, and check what it answers'),
    (('strncpy', 'strncat'), None, 'memcpy() of a length that was checked'),
    (('gets',), None, 'fgets() or getline()'),
    (('atoi', 'atol', 'atoll', 'atof'), None, 'strtoull() with every error checked'),
    (('strtok',), None, 'strtok_r()'),
    (('rand', 'srand', 'random', 'srandom', 'drand48', 'lrand48'), None,
     'tm_random_next() with a seed that is printed'),
    (('alloca',), None, 'a buffer of fixed size, or memory that is checked'),
    (('signal',), None, 'sigaction()'),
    (('localtime', 'gmtime', 'ctime', 'asctime'), None, 'localtime_r(), gmtime_r(), strftime()'),
    (('system', 'popen'), None, 'posix_spawn() with a list of arguments'),
    (('mktemp', 'tmpnam', 'tempnam'), None, 'mkstemp() or mkdtemp()'),
    (('assert',), ('src', 'frontends', 'ports'), 'TM_ASSERT() for our own bugs, an error for what others can cause'),
    (('malloc', 'calloc', 'realloc', 'reallocarray', 'free', 'strdup', 'aligned_alloc', 'posix_memalign'),
     FREESTANDING, "the host's alloc() and free() (src/base/host.h)"),
    (('printf', 'fprintf', 'vprintf', 'vfprintf', 'dprintf', 'puts', 'fputs', 'putchar', 'perror', 'syslog'),
     LIBRARY, 'a result, or a text in struct tmem_error: the library prints nothing'),
    (('abort', 'exit', '_exit', '_Exit', 'quick_exit', 'atexit'), LIBRARY,
     'a result; a broken invariant of our own is TM_ASSERT()'),
]

MAX_COLUMNS = 120
LONG_FUNCTION_LINES = 70

# Put together from halves, so that this file does not contain what it looks for.
MARKERS = ('TO' + 'DO', 'FIX' + 'ME', 'XX' + 'X')
MACHINE_PATHS = ('/ho' + 'me/', '/wo' + 'rk/')

Finding = namedtuple('Finding', 'path line text hint', defaults=(False,))

# ----------------------------------------------------------------------------------- tree


def blank(text, keep_strings=False):
    """C source with comments, and unless told the text of strings, replaced by spaces; lines stay."""
    def spaces(found):
        piece = found.group(0)
        if piece[0] == '/':
            return re.sub(r'[^\n]', ' ', piece)
        return piece if keep_strings else piece[0] + re.sub(r'[^\n]', ' ', piece[1:-1]) + piece[-1]
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', spaces, text, flags=re.S)


class Tree:
    """The files of the project: {path: text}, paths relative to the root with '/'."""

    def __init__(self, files, executable=()):
        self.files = dict(files)
        self.executable = set(executable)
        self._code = {}

    @classmethod
    def read(cls, root, paths):
        files, executable = {}, set()
        for path in paths:
            full = os.path.join(root, path)
            if os.path.islink(full) or not os.path.isfile(full):
                continue
            with open(full, 'rb') as stream:
                data = stream.read()
            if b'\0' in data or is_under(path, FOUND_BY_FUZZERS):
                continue
            files[path] = data.decode('utf-8', 'replace')
            if os.access(full, os.X_OK):
                executable.add(path)
        return cls(files, executable)

    def c_files(self):
        return [path for path in sorted(self.files) if path.endswith(('.c', '.h'))]

    def code(self, path):
        if path not in self._code:
            self._code[path] = blank(self.files[path])
        return self._code[path]


def is_under(path, folder):
    return path.startswith(folder + '/')


def layer_of(path):
    """The folder of LAYERS that a file belongs to, or None. Tests beside the code may use anything."""
    if path.endswith(('_test.c', '_test.h')):
        return None
    return next((layer for layer in LAYERS if is_under(path, layer)), None)


def line_of(text, position):
    return text.count('\n', 0, position) + 1


# ----------------------------------------------------------------------- rules about includes

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)[>"]', re.M)


def includes(tree, path):
    for found in INCLUDE.finditer(blank(tree.files[path], keep_strings=True)):
        yield line_of(tree.files[path], found.start()), found.group(1) == '"', found.group(2)


def resolve(tree, path, name):
    """The project's file that an include names, or None."""
    own = os.path.normpath(os.path.join(os.path.dirname(path), name))
    for candidate in (own, 'src/' + name, 'include/' + name, name):
        if candidate in tree.files:
            return candidate
    return None


def check_includes(tree):
    """Folders include only what their layer allows, and of others only the header meant for others."""
    for path in tree.c_files():
        layer = layer_of(path)
        for line, quoted, name in includes(tree, path):
            target = resolve(tree, path, name)
            if '..' in name.split('/'):
                yield Finding(path, line, f'include "{name}" climbs; name it from src/ instead')
            if target is None and quoted and not path.startswith(('tests/', 'docs/')):
                yield Finding(path, line, f'"{name}" is no file of this project (system headers go in <>)')
            if layer is None:
                continue
            if target is None:
                yield from check_system_header(path, line, layer, name)
            elif not is_under(target, layer):
                yield from check_direction(path, line, layer, target)


def check_system_header(path, line, layer, name):
    if layer in FREESTANDING and name not in FREESTANDING_HEADERS:
        yield Finding(path, line, f'<{name}> in {layer}, which is freestanding: only '
                      + ', '.join(sorted(FREESTANDING_HEADERS)))
    if layer == 'include' and name not in PUBLIC_HEADERS:
        yield Finding(path, line, f'<{name}> in a public header: only ' + ', '.join(sorted(PUBLIC_HEADERS)))


def interface_of(folder):
    return INTERFACES.get(folder, f'{folder}/{os.path.basename(folder)}.h')


def check_direction(path, line, layer, target):
    folder = layer_of(target)
    if folder is None or folder not in LAYERS[layer]:
        allowed = ', '.join(LAYERS[layer]) or 'nothing'
        yield Finding(path, line, f'{layer} may not include {target} (it may include: {allowed})')
        return
    interface = interface_of(folder)
    if folder not in OPEN_FOLDERS and target != interface:
        yield Finding(path, line, f'{target} is internal to {folder}; others include {interface}')


# -------------------------------------------------------------------------- rules about calls

ALLOW = re.compile(r'tidy: allow (\w+) \(([^)\n]+)\)')


def allowances(tree, path):
    """{line: name}: exceptions of a place, written there as 'tidy: allow NAME (reason)'."""
    return {number: found.group(1) for number, text in enumerate(tree.files[path].split('\n'), 1)
            for found in [ALLOW.search(text)] if found}


def check_calls(tree):
    """Banned functions are not called; the finding names what to use. Exceptions are used, or go."""
    for path in tree.c_files():
        code, allowed, used = tree.code(path), allowances(tree, path), set()
        test = path.endswith('_test.c')
        for names, folders, instead in BANNED_CALLS:
            if folders is not None and (test or not any(is_under(path, folder) for folder in folders)):
                continue
            # Not a member (host->free), not part of another name, not a function type's (*free)(...).
            for found in re.finditer(r'(?<![\w.>])(?:' + '|'.join(names) + r')(?=\s*\()', code):
                line = line_of(code, found.start())
                if allowed.get(line) == found.group(0):
                    used.add(line)
                else:
                    yield Finding(path, line, f'{found.group(0)}(): use {instead}')
        for line in sorted(set(allowed) - used):
            yield Finding(path, line, f'nothing here needs "allow {allowed[line]}": remove it')


# ------------------------------------------------------------------------ rules about the rest


def check_magics(tree):
    """Every magic number of an object is different from all others."""
    seen = {}
    pattern = re.compile(r'^[ \t]*#[ \t]*define[ \t]+(\w*MAGIC\w*)[ \t]+\(?(?:UINT\d+_C\()?(0[xX][0-9a-fA-F]+)', re.M)
    for path in tree.c_files():
        code = tree.code(path)
        for found in pattern.finditer(code):
            value, place = int(found.group(2), 16), (found.group(1), path)
            if value in seen and seen[value] != place:
                other = seen[value]
                yield Finding(path, line_of(code, found.start()),
                              f'{found.group(1)} has the value of {other[0]} in {other[1]}: choose another')
            seen.setdefault(value, place)


def check_text(tree):
    """Line length, spaces at ends of lines, tabs, line ends, leftover markers, paths of one machine."""
    marker = re.compile(r'\b(?:' + '|'.join(MARKERS) + r')\b')
    machine = re.compile(r'(?<![\w.*])(?:' + '|'.join(MACHINE_PATHS) + ')')
    for path, text in sorted(tree.files.items()):
        if path.endswith(('.orig', '.rej')):
            yield Finding(path, 1, 'left behind by a merge or a patch (try: git rm)')
        if text and not text.endswith('\n'):
            yield Finding(path, text.count('\n') + 1, 'no line end at the end of the file')
        for number, line in enumerate(text.split('\n'), 1):
            if len(line) > MAX_COLUMNS and not path.endswith(('.md', '.svg')):
                yield Finding(path, number, f'{len(line)} columns; the limit is {MAX_COLUMNS}')
            if line != line.rstrip():
                yield Finding(path, number, 'space at the end of the line')
            if '\t' in line and not path.endswith(('.patch', '.scd')):
                yield Finding(path, number, 'a tab: indent with spaces, write \\t in strings')
            if marker.search(line):
                yield Finding(path, number, 'a leftover marker: finish it, or write down why it stays')
            if machine.search(line):
                yield Finding(path, number, 'a path of one machine')


def check_headers(tree):
    """Every source file says its licence in its first lines; scripts can be run."""
    for path, text in sorted(tree.files.items()):
        name = os.path.basename(path)
        script = text.startswith('#!')
        if script or path.endswith(('.c', '.h', '.py', '.sh', '.ini')) or name in ('meson.build', 'meson_options.txt'):
            if not any('SPDX-License-Identifier: BSD-2-Clause' in line for line in text.split('\n')[:3]):
                yield Finding(path, 1, 'no line "SPDX-License-Identifier: BSD-2-Clause" in the first three')
        if script and path not in tree.executable:
            yield Finding(path, 1, 'a script that is not executable (chmod +x)')


def check_built(tree):
    """Every .c file is named in a meson.build of its folder or one above: what is not built rots."""
    builds = {path: text for path, text in tree.files.items() if os.path.basename(path) == 'meson.build'}
    for path in tree.c_files():
        if not path.endswith('.c'):
            continue
        stem = os.path.basename(path)[:-2]
        for build, text in builds.items():
            folder = os.path.dirname(build)
            if folder and not is_under(path, folder):
                continue
            relative = path[len(folder) + 1:] if folder else path
            # Lists that are completed in a loop name only the stem.
            names = {relative, relative[:-2], stem, re.sub(r'_test$', '', stem)}
            if any(re.search(r"'" + re.escape(name) + r"'", text) for name in names):
                break
        else:
            yield Finding(path, 1, 'no meson.build names this file')


def check_functions(tree):
    """A hint: a function that fills more than a screen is a question to its reader."""
    for path in tree.c_files():
        start = None
        lines = tree.code(path).split('\n')
        for number, line in enumerate(lines, 1):
            if line.startswith('{') or (re.match(r'\w', line) and line.rstrip().endswith(') {')):
                start = number
            elif line.startswith('}') and start is not None:
                length = number - start - 1
                if length > LONG_FUNCTION_LINES:
                    yield Finding(path, start, f'a function of {length} lines: can it be told in parts?', True)
                start = None


RULES = (check_includes, check_calls, check_magics, check_text, check_headers, check_built, check_functions)


def check_tree(tree):
    return [finding for rule in RULES for finding in rule(tree)]
