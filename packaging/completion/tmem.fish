# SPDX-License-Identifier: BSD-2-Clause
# tmem.fish - completion of the command `tmem` for fish. `tmem complete` knows the words; a line of it that begins with
# a colon is for the shell.

function __tmem_complete
    set -l words (commandline -opc) (commandline -ct)
    for line in ($words[1] complete $words[2..-1] 2>/dev/null)
        switch $line
            case :directories
                __fish_complete_directories (commandline -ct)
            case :files
                __fish_complete_path (commandline -ct)
            case ':*'
            case '*'
                echo $line
        end
    end
end

complete -c tmem -f -a '(__tmem_complete)'
