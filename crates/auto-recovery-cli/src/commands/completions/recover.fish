# Completions of recover for fish: this file in ~/.config/fish/completions.
function __recover_complete
    set -l words (commandline --current-process --tokenize --cut-at-cursor)
    set -l typed (commandline --current-token --cut-at-cursor)
    set -l answers (RECOVER_COMPLETE=fish command recover -- $words "$typed" 2>/dev/null)
    if string match --quiet --regex '^\x01' -- "$answers[1]"
        set -l first (math (string sub --start 2 -- $answers[1]) + 1)
        set -l wrapped
        test $first -le (count $words)
        and set wrapped (string escape -- $words[$first..-1])
        complete --do-complete (string join ' ' -- $wrapped "$typed")
    else
        printf '%s\n' $answers
    end
end
complete --keep-order --no-files --command recover --arguments '(__recover_complete)'
