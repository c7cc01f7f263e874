# SPDX-License-Identifier: BSD-2-Clause
# tmem.bash - completion of the command `tmem` for bash. Sourced.

# The long options that `tmem VERB --help` tells: so what is completed is what there is.
_tmem_options() {
    "$1" "${@:2}" --help 2>/dev/null | grep -o -E -e '--[a-z][a-z-]*' | sort -u
}

# Where something is mounted by tmem. The kernel writes a space in a path as \040, printf wants \0040.
_tmem_points() {
    local line fields
    while read -r line; do
        case $line in *" - fuse.tmem "*)
            read -r -a fields <<<"$line"
            printf '%b\n' "${fields[4]//\\/\\0}"
            ;;
        esac
    done 2>/dev/null </proc/self/mountinfo
}

# Words of the list that begin with what was typed, one a line.
_tmem_reply() {
    local word
    COMPREPLY=()
    while IFS= read -r word; do
        [[ $word == "$cur"* ]] && COMPREPLY+=("$(printf '%q' "$word")")
    done
}

# Values of the option $1 of the verb $2. False: it has none that are known.
_tmem_values() {
    case $2:$1 in
    mount:--codec) _tmem_reply < <(printf '%s\n' lz4 zstd zstd:3 none) ;;
    mount:--watch) _tmem_reply < <(printf '%s\n' auto fanotify inotify off) ;;
    mount:--size) _tmem_reply < <(printf '%s\n' 512M 1G 2G 4G 8G) ;;
    mount:-o)
        compopt -o nospace 2>/dev/null
        _tmem_reply < <(printf '%s\n' ro rw size= codec= store= name= read-ahead= attr-timeout= entry-timeout= \
            threads= watch= exclusive writeback nosuid nodev noexec noatime allow_other nofail)
        ;;
    mount:--store | mount:--name | mount:--read-ahead | mount:--*-timeout | mount:--threads) ;;
    bench:--pages | bench:--sizes | bench:--cache | bench:--compile) ;;
    top:--order) _tmem_reply < <(printf '%s\n' charge gets name) ;;
    top:--interval) ;;
    top:--socket) compopt -o default 2>/dev/null ;;
    bench:--only) _tmem_reply < <(printf '%s\n' blocks full give-back memory-file deferred index \
        space cold) ;;
    bench:--corpus | bench:--save | bench:--load | bench:--picture) compopt -o default 2>/dev/null ;;
    bench:--tree) compopt -o dirnames 2>/dev/null ;;
    *) return 1 ;;
    esac
}

_tmem() {
    local cur prev verb
    COMPREPLY=()
    cur=${COMP_WORDS[COMP_CWORD]}
    prev=${COMP_WORDS[COMP_CWORD - 1]}
    verb=${COMP_WORDS[1]}
    if [ "$COMP_CWORD" -eq 1 ]; then
        _tmem_reply < <(printf '%s\n' mount umount stats top doctor bench version help --help --version)
        return
    fi
    _tmem_values "$prev" "$verb" && return
    case $cur in
    -*)
        if [ "$verb" = bench ] && [ "${COMP_WORDS[2]}" = policy ]; then
            _tmem_reply < <(_tmem_options "${COMP_WORDS[0]}" bench policy)
        else
            _tmem_reply < <(_tmem_options "${COMP_WORDS[0]}" "$verb")
        fi
        return
        ;;
    esac
    case $verb in
    mount) compopt -o dirnames 2>/dev/null ;;
    umount | stats) _tmem_reply < <(_tmem_points) ;;
    bench) [ "$COMP_CWORD" -eq 2 ] && _tmem_reply < <(printf '%s\n' engine policy) ;;
    help) [ "$COMP_CWORD" -eq 2 ] && _tmem_reply < <(printf '%s\n' mount umount stats top doctor bench version) ;;
    esac
    return 0
}

complete -F _tmem tmem
