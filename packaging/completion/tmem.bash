# SPDX-License-Identifier: BSD-2-Clause
# tmem.bash - completion of the command `tmem` for bash. Sourced. `tmem complete` knows the words; a line of it that
# begins with a colon is for the shell.

_tmem() {
    local word line words=() behind=
    COMPREPLY=()
    # Bash parts words at colons, and names of clients have some.
    for word in "${COMP_WORDS[@]:1:COMP_CWORD}"; do
        if [ "${#words[@]}" -gt 0 ] && { [ "$word" = : ] || [ "$behind" = : ]; }; then
            words[-1]+=$word
        else
            words+=("$word")
        fi
        behind=$word
    done
    [ "$behind" = : ] && word= || word=${COMP_WORDS[COMP_CWORD]}
    local before=${words[-1]%"$word"}
    while IFS= read -r line; do
        case $line in
        :directories) compopt -o dirnames 2>/dev/null ;;
        :files) compopt -o default 2>/dev/null ;;
        :nospace) compopt -o nospace 2>/dev/null ;;
        *) COMPREPLY+=("$(printf '%q' "${line#"$before"}")") ;;
        esac
    done < <("${COMP_WORDS[0]}" complete "${words[@]}" 2>/dev/null)
    return 0
}

complete -F _tmem tmem
