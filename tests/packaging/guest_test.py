#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The package as it is installed, in a guest with a disk of its own and systemd as process 1: socket activation, users,
permissions, descriptors that outlive kill -9, restart, reload, stop.

Nothing of this machine's own systemd is touched. The guest is emulated (qemu -accel tcg), so it takes minutes.

Arguments: the build folder, the program that makes load, the script for the guest. TMEM_GUEST_MIRROR names another
mirror.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

BUILD, LOAD, SCRIPT = (os.path.abspath(path) for path in sys.argv[1:4])
MIRROR = os.environ.get('TMEM_GUEST_MIRROR', 'http://deb.debian.org/debian')
PACKAGES = ['systemd-sysv', 'linux-image-cloud-amd64', 'initramfs-tools', 'procps', 'util-linux']
TOOLS = {'qemu-system-x86_64': 'qemu-system-x86', 'debootstrap': 'debootstrap', 'mkfs.ext4': 'e2fsprogs',
         'meson': 'meson'}
BOOT_SECONDS = 600
# The first serial line is the kernel's, and a login hangs up whoever else writes there.
UNIT = """[Unit]
After=multi-user.target
[Service]
Type=oneshot
ExecStart=/opt/guest_script.sh
ExecStopPost=/bin/kill -RTMIN+4 1
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS1
[Install]
WantedBy=graphical.target
"""
CONFIG = '[metrics]\nlisten = 9753\n[client root]\nuid = root\npersistent = yes\n'


def skip(why):
    print(f'skipped: {why}')
    sys.exit(77)


def run(*command, **more):
    result = subprocess.run(command, capture_output=True, text=True, check=False, **more)
    if result.returncode != 0:
        raise OSError(f'{command[0]}: exit status {result.returncode}: {(result.stdout + result.stderr)[-2000:]}')
    return result.stdout


def write(path, text, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'w', encoding='utf-8') as stream:
        stream.write(text)
    os.chmod(path, mode)


def libraries_of(program):
    """Debian's packages that hold what the program is linked with."""
    names = set()
    for path in re.findall(r'=> (/\S+)', run('ldd', program)):
        # Some packages still have /lib for /usr/lib.
        place = os.path.realpath(path).removeprefix('/usr')
        found = subprocess.run(['dpkg-query', '-S', place, '/usr' + place], capture_output=True, text=True,
                               check=False).stdout
        names.update(line.split(':')[0] for line in found.splitlines())
    return sorted(names)


def make_root(root):
    """A small Debian with tmem installed. False: no mirror answers."""
    programs = [os.path.join(BUILD, 'tmemd'), os.path.join(BUILD, 'frontends/top/tmem-top'), LOAD]
    packages = set(PACKAGES).union(*(libraries_of(program) for program in programs))
    try:
        run('debootstrap', '--variant=minbase', f'--include={",".join(sorted(packages))}', 'bookworm', root, MIRROR,
            timeout=1200)
    except OSError as problem:
        print(problem)
        return False
    run('meson', 'install', '-C', BUILD, '--no-rebuild', '--destdir', root, timeout=300)
    run('ldconfig', '-r', root)
    shutil.copy(LOAD, root + '/opt/load')
    shutil.copy(SCRIPT, root + '/opt/guest_script.sh')
    os.chmod(root + '/opt/guest_script.sh', 0o755)
    write(root + '/etc/systemd/system/guest-test.service', UNIT)
    prefix = installed_prefix(root)
    write(f'{root}{prefix}/etc/tmem/tmemd.conf.d/guest.conf', CONFIG)
    wants = root + '/etc/systemd/system'
    for unit, target in (('/etc/systemd/system/guest-test.service', 'graphical.target'),
                         (f'{prefix}/lib/systemd/system/tmemd.socket', 'sockets.target')):
        os.makedirs(f'{wants}/{target}.wants', exist_ok=True)
        os.symlink(unit, f'{wants}/{target}.wants/{os.path.basename(unit)}')
    return True


def installed_prefix(root):
    """Where the daemon went, below the root, without sbin."""
    for prefix in '/usr/local', '/usr':
        if os.path.exists(f'{root}{prefix}/sbin/tmemd'):
            return prefix
    raise OSError('the build has another prefix than /usr/local and /usr')


def boot(work, root):
    """What the guest's test and its kernel write."""
    disk = work + '/disk'
    with open(disk, 'wb') as stream:
        stream.truncate(3 << 30)
    run('mkfs.ext4', '-q', '-d', root, disk, timeout=300)
    boot_files = os.listdir(root + '/boot')
    kernel, initrd = (next(name for name in sorted(boot_files) if name.startswith(kind))
                      for kind in ('vmlinuz-', 'initrd.img-'))
    command = ['qemu-system-x86_64', '-accel', 'tcg', '-cpu', 'max', '-m', '1G', '-smp', '2', '-no-reboot',
               '-display', 'none', '-serial', f'file:{work}/console', '-serial', f'file:{work}/results',
               '-kernel', f'{root}/boot/{kernel}', '-initrd', f'{root}/boot/{initrd}',
               '-append', 'root=/dev/vda rw console=ttyS0 systemd.default_timeout_start_sec=300 quiet',
               '-drive', f'file={disk},format=raw,if=virtio', '-nic', 'none']
    try:
        subprocess.run(command, stdin=subprocess.DEVNULL, check=False, timeout=BOOT_SECONDS)
    except subprocess.TimeoutExpired:
        print(f'FAILED: the guest took more than {BOOT_SECONDS} s')
    written = []
    for name in 'results', 'console':
        with open(f'{work}/{name}', encoding='utf-8', errors='replace') as stream:
            written.append(stream.read())
    return written


def main():
    if os.geteuid() != 0:
        skip('not root: debootstrap and the files of a guest need it')
    for tool, package in TOOLS.items():
        if shutil.which(tool) is None:
            skip(f'no {tool} on this machine (Debian: {package})')
    with tempfile.TemporaryDirectory(prefix='tmem-guest-') as work:
        root = work + '/root'
        if not make_root(root):
            skip(f'no Debian from {MIRROR} (is there a network?)')
        results, console = boot(work, root)
    lines = re.findall(r'guest: [^\r\n]*', results)
    print('\n'.join(lines))
    if 'guest: done, 0 failed' not in lines:
        print(console[-4000:])
        sys.exit(1)


if __name__ == '__main__':
    main()
