# SPDX-License-Identifier: BSD-2-Clause
"""A small parser of metrics, strict where the formats are: Prometheus 0.0.4 and OpenMetrics 1.0."""
import re

NAME = r'[a-zA-Z_:][a-zA-Z0-9_:]*'
LABEL = r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\n"])*)"'
SAMPLE = re.compile(rf'({NAME})(?:\{{((?:{LABEL})(?:,{LABEL})*)\}})? (\S+)')
SUFFIXES = {'counter': ['_total'], 'gauge': [''], 'histogram': ['_bucket', '_sum', '_count'],
            'summary': ['_sum', '_count'], 'info': ['_info']}


class Problem(Exception):
    """The text is not what the format says."""


def unescaped(text):
    return re.sub(r'\\(.)', lambda match: '\n' if match.group(1) == 'n' else match.group(1), text)


def add_sample(families, name, kind, line, is_open):
    match = SAMPLE.fullmatch(line)
    if match is None:
        raise Problem(f'no sample: {line!r}')
    suffixes = SUFFIXES[kind] if is_open or kind != 'counter' else ['']
    if match.group(1) not in [name + suffix for suffix in suffixes]:
        raise Problem(f'{match.group(1)} among samples of {name}')
    labels = tuple(sorted((label, unescaped(value)) for label, value in re.findall(LABEL, match.group(2) or '')))
    if len({label for label, _ in labels}) != len(labels):
        raise Problem(f'a label twice: {line!r}')
    key = (match.group(1), labels)
    if key in families[name]['samples']:
        raise Problem(f'a sample twice: {line!r}')
    families[name]['samples'][key] = float(match.group(match.lastindex))


def check_histogram(name, samples):
    """Buckets count up, the last holds all, and so says the count."""
    groups = {}
    for (sample, labels), value in samples.items():
        rest = tuple(pair for pair in labels if pair[0] != 'le')
        group = groups.setdefault(rest, {'buckets': []})
        if sample.endswith('_bucket'):
            group['buckets'].append((float(dict(labels)['le']), value))
        else:
            group[sample[len(name):]] = value
    for group in groups.values():
        limits, counts = zip(*group['buckets'])
        if list(limits) != sorted(set(limits)) or list(counts) != sorted(counts):
            raise Problem(f'{name}: buckets are not in order')
        if limits[-1] != float('inf') or counts[-1] != group['_count'] or '_sum' not in group:
            raise Problem(f'{name}: no whole histogram')


def parse(text, is_open=False):
    """Families by name: {'kind', 'help', 'samples': {(name, labels): value}}."""
    families = {}
    name = None
    if not text.endswith('\n'):
        raise Problem('the last line has no end')
    lines = text[:-1].split('\n')
    if is_open and lines.pop() != '# EOF':
        raise Problem('no end')
    for line in lines:
        words = line.split(' ', 3)
        if words[0] != '#':
            if name is None or 'kind' not in families[name]:
                raise Problem(f'a sample before its family: {line!r}')
            add_sample(families, name, families[name]['kind'], line, is_open)
        elif words[1] == 'HELP':
            name = words[2]
            if name in families or not re.fullmatch(NAME, name):
                raise Problem(f'family {name} twice, or no name')
            families[name] = {'help': words[3], 'samples': {}}
        elif words[1] == 'TYPE' and words[2] == name and words[3] in SUFFIXES:
            families[name]['kind'] = words[3]
        else:
            raise Problem(f'neither help nor type: {line!r}')
    for name, family in families.items():
        if family['kind'] == 'histogram':
            check_histogram(name, family['samples'])
    return families


def value(families, name, **labels):
    """The value of the one sample with these labels; its name tells the family."""
    wanted = (name, tuple(sorted(labels.items())))
    found = [family['samples'][wanted] for family in families.values() if wanted in family['samples']]
    if len(found) != 1:
        raise Problem(f'{len(found)} samples {name} {labels}')
    return found[0]
