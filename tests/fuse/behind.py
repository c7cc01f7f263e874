# SPDX-License-Identifier: BSD-2-Clause
"""behind.py DIR MNT KIND COUNT - random changes in DIR while others look at MNT, and change it, too. At the end the
two must be the same.

With inotify, a change by another name of the same file is not always noticed: then no second names are made.
"""
import os
import random
import stat
import sys
import threading
import time

below, above, kind, count = sys.argv[1:]
seed = int(os.environ.get('TMEM_TEST_SEED', '0')) or int.from_bytes(os.urandom(4), 'little')
NAMES = ['n%d' % i for i in range(12)]
FOLDERS = ['', 'a', 'b', 'a/c', 'b/d']
done = threading.Event()


def some_name(chance):
    return os.path.join(chance.choice(FOLDERS), chance.choice(NAMES))


def change(chance, root):
    """One change below @root, which is DIR or MNT. What cannot be done just now is an OSError."""
    path, other = os.path.join(root, some_name(chance)), os.path.join(root, some_name(chance))
    what = chance.randrange(12)
    if what == 0:
        os.unlink(path)
    elif what == 1:
        os.rename(path, other)
    elif what == 2 and kind == 'fanotify':
        os.link(path, other)
    elif what == 3:
        os.symlink(chance.choice(NAMES), path)
    elif what == 4:
        os.truncate(path, chance.randrange(30000))
    elif what == 5:
        os.chmod(path, chance.choice([0o600, 0o644, 0o755]))
    elif what == 6:
        os.makedirs(os.path.join(root, chance.choice(FOLDERS)), exist_ok=True)
    elif what == 7:
        folder, away = os.path.join(root, chance.choice(FOLDERS[1:])), root + '/away-%d' % chance.randrange(100)
        os.rename(folder, away)
        time.sleep(chance.random() / 1000)
        os.rename(away, folder)
    elif what == 8:
        before = os.lstat(path)
        with open(path, 'r+b') as file:
            file.write(chance.randbytes(min(before.st_size, 5000)))
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    else:
        with open(path, 'ab' if what == 9 else 'wb') as file:
            file.write(chance.randbytes(chance.randrange(20000)))


def look(chance):
    """Looks at MNT as programs do, so that the kernel remembers; what is found is not asked."""
    while not done.is_set():
        path = os.path.join(above, some_name(chance))
        try:
            os.lstat(path)
            os.listdir(os.path.dirname(path))
            with open(path, 'rb') as file:
                file.read()
        except OSError:
            pass


def make_changes(chance, root, most, until=None):
    """How many of @most changes were possible, @until an event at the latest."""
    made = 0
    for _ in range(most):
        if until is not None and until.is_set():
            break
        try:
            change(chance, root)
            made += 1
        except OSError:
            pass
    return made


def state(root):
    """All that can be seen of a tree."""
    seen = {}
    for folder, folders, files in os.walk(root):
        for name in ['.'] + folders + files:
            path = os.path.join(folder, name)
            status = os.lstat(path)
            content = None
            if stat.S_ISREG(status.st_mode):
                with open(path, 'rb') as file:
                    content = file.read()
            elif stat.S_ISLNK(status.st_mode):
                content = os.readlink(path)
            seen[os.path.relpath(path, root)] = (status.st_mode, status.st_nlink, status.st_size, status.st_mtime_ns,
                                                 status.st_ctime_ns, status.st_uid, content)
    return seen


def differences(expected, got):
    return [path for path in sorted(expected.keys() | got.keys()) if expected.get(path) != got.get(path)]


def main():
    print('-- %d changes with seed %d' % (int(count), seed))
    chance = random.Random(seed)
    threads = [threading.Thread(target=look, args=(random.Random(seed + i),)) for i in range(2)]
    threads.append(threading.Thread(target=make_changes, args=(random.Random(seed + 2), above, int(count) // 2, done)))
    for thread in threads:
        thread.start()
    made = make_changes(chance, below, int(count))
    done.set()
    for thread in threads:
        thread.join()
    expected = state(below)
    began = time.monotonic()
    while True:
        try:
            different = differences(expected, state(above))
        except OSError as error:
            different = [str(error)]
        delay = time.monotonic() - began
        if not different or delay > 5:
            break
    print('-- %d changes were possible; %d paths; the same after %.0f ms' % (made, len(expected), delay * 1000))
    if different:
        print('seed %d: %d paths differ: %s' % (seed, len(different), ' '.join(different[:10])))
        for path in different[:3]:
            print(path, [str(x)[:40] for x in expected.get(path, ())],
                  [str(x)[:40] for x in state(above).get(path, ())])
        sys.exit(1)


main()
