#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# git.sh - a repository is cloned into MNT, checked, switched, merged, packed, compiled and run there, and all of it
# comes out as in a plain directory.
. "$(dirname "$0")/lib.sh"
begin
for tool in git cc make; do
    command -v $tool >/dev/null || skip "no $tool"
done
is_sanitized && [ -z "${TMEM_TEST_LONG:-}" ] && skip "sanitizers have enough to do with what is shorter"
[ -d /usr/include/linux ] || skip "no headers in /usr/include to make a repository of"
dir=$work/dir mnt=$work/mnt
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null GIT_AUTHOR_DATE='@1000000000 +0000' \
    GIT_COMMITTER_DATE='@1000000000 +0000' GIT_AUTHOR_NAME=test GIT_AUTHOR_EMAIL=test@example.org \
    GIT_COMMITTER_NAME=test GIT_COMMITTER_EMAIL=test@example.org

# A program of many files that checks itself, among the text of the system's headers or of a source package.
make_program() {
    local i
    {
        printf 'objects = main.o'
        for i in $(seq 24); do printf ' part-%d.o' "$i"; done
        printf '\nCFLAGS = -O1\nprogram: $(objects)\n\t$(CC) -o $@ $(objects)\n'
        printf 'check: program\n\t./program > output\n\tgrep -q "^sum 300$$" output\n'
        printf 'clean:\n\trm -f $(objects) program output\n$(objects): parts.h\n.PHONY: check clean\n'
    } >Makefile
    : >parts.h
    for i in $(seq 24); do
        printf '#include <stdio.h>\n#include "parts.h"\nint part_%d(void)\n{\n' "$i" >part-"$i".c
        printf '    return printf("part %d\\n") > 0 ? %d : 0;\n}\n' "$i" "$i" >>part-"$i".c
        printf 'int part_%d(void);\n' "$i" >>parts.h
    done
    {
        printf '#include <stdio.h>\n#include "parts.h"\nint main(void)\n{\n    int sum = 0;\n'
        for i in $(seq 24); do printf '    sum += part_%d();\n' "$i"; done
        printf '    printf("sum %%d\\n", sum);\n    return sum == 300 ? 0 : 1;\n}\n'
    } >main.c
}

note "a repository with two branches"
mkdir "$work/origin" && cd "$work/origin" || exit 99
git init -q -b first
make_program
mkdir text && cp -r /usr/include/linux text/
[ ! -d /usr/src/googletest ] || cp -r /usr/src/googletest text/
ln -s text/README link
printf '#!/bin/sh\necho a script\n' >script && chmod +x script
printf '*.o\nprogram\noutput\n' >.gitignore
git add . && git commit -q -m first || fail "the first commit"
git checkout -q -b second
find text -type f | sort | awk 'NR % 7 == 0' | head -n 150 | while read -r name; do echo "changed $name" >>"$name"; done
find text -type f | sort | awk 'NR % 11 == 0' | head -n 80 | xargs git rm -q -f
git mv script moved-script
sed -i 's/part 7/part seven/' part-7.c
git add . && git commit -q -m second
git checkout -q first
echo 'more' >>text-only-here && git add . && git commit -q -m third
git gc -q
echo "-- $(git ls-files | wc -l) files"

# work DIRECTORY: what people do; prints what git and the program say.
work_in() {
    cd "$1" || return 1
    git clone -q "$work/origin" clone && cd clone || return 1
    git status --porcelain
    git fsck --full 2>&1
    git log --oneline --stat | tail -n 3
    make -s -j2 check && cat output
    git checkout -q -b second origin/second
    git status --porcelain
    git diff --stat first | tail -n 2
    make -s -j2 check && cat output
    git checkout -q first
    git merge -q -m merged second
    git status --porcelain
    echo unfinished >>Makefile
    git stash -q && git stash pop -q
    git status --porcelain
    git checkout -q Makefile
    git gc -q --prune=now
    git fsck --full 2>&1
    git clean -q -n -x | sort
    make -s clean
    git status --porcelain --ignored
    git grep -c include -- 'text' | sort | sha256sum
    git worktree add -q ../tree second && git -C ../tree status --porcelain
    cd "$work" || return 1
}

note "in a plain directory"
mkdir "$work/plain"
work_in "$work/plain" >"$work/expected" 2>&1 ||
    fail "git does not work in a plain directory: $(tail -n 3 "$work/expected")"
check "the program ran" grep -q '^sum 300$' "$work/expected"

for options in '' '--exclusive'; do
    note "in MNT ${options:+with }$options"
    # shellcheck disable=SC2086 # words
    mount_writable $options "$dir" "$mnt"
    work_in "$mnt" >"$work/answers" 2>&1 || fail "git $options: $(tail -n 3 "$work/answers")"
    diff "$work/expected" "$work/answers" || fail "git $options answers in another way"
    # Time stamps and packs differ from one run to the next, files do not.
    diff -r --no-dereference --exclude=.git "$work/plain" "$mnt" || fail "git $options: other files"
    diff -r --no-dereference "$dir" "$mnt" || fail "git $options: DIR has other files"
    drop_caches
    git -C "$mnt/clone" fsck --full >/dev/null 2>&1 || fail "git $options: fsck, not from memory"
    same "git $options: status, not from memory" "" "$(git -C "$mnt/clone" status --porcelain 2>&1)"
    rm -r "${mnt:?}"/*
    same "git $options: everything can be removed" "" "$(ls -A "$dir")"
    umount_tmem "$mnt"
    [ -n "${TMEM_TEST_LONG:-}" ] || break
done

finish
