# Completions of recover for bash: `source <(recover completions bash)`.
# What the command of its own would offer, whose words begin with number $1, for $2 behind $3: for a
# bash without bash-completion, which has a function for that.
_recover_command() {
    local at=$1 typed=$2 before=$3 name=${COMP_WORDS[$1]} spec
    local -a options=() found
    spec=$(complete -p -- "$name" 2>/dev/null || complete -p -- "${name##*/}" 2>/dev/null)
    if [[ -z $spec ]]; then
        compopt -o default 2>/dev/null
        return
    fi
    COMP_WORDS=("${COMP_WORDS[@]:at}")
    ((COMP_CWORD -= at))
    COMP_LINE=${COMP_WORDS[*]}
    COMP_POINT=${#COMP_LINE}
    # Bash prints it so that it can be read again.
    eval "set -- $spec"
    shift
    while (($# > 1)); do
        case $1 in
        -F) "$2" "$name" "$typed" "$before" ;;
        -o) compopt -o "$2" 2>/dev/null ;;
        -[AGWPSX]) options+=("$1" "$2") ;;
        -C) ;;
        *)
            options+=("$1")
            shift
            continue
            ;;
        esac
        shift 2
    done
    if ((${#options[@]})); then
        mapfile -t found < <(compgen "${options[@]}" -- "$typed")
        COMPREPLY+=("${found[@]}")
    fi
}
_recover() {
    local IFS=$'\n' at word last=
    # Bash takes `--name=value` for three words.
    local -a words=() starts=()
    for ((at = 0; at <= COMP_CWORD; at++)); do
        word=${COMP_WORDS[at]}
        if [[ $at == "$COMP_CWORD" && $word != = ]]; then
            word=$2
        fi
        if [[ $last == --* && $word == = || $last == --*= ]]; then
            last+=$word
            words[-1]=$last
        else
            last=$word
            words+=("$word")
            starts+=("$at")
        fi
    done
    mapfile -t COMPREPLY < <(
        _CLAP_IFS=$'\n' _CLAP_COMPLETE_INDEX=$((${#words[@]} - 1)) RECOVER_COMPLETE=bash \
            command recover -- "${words[@]}" 2>/dev/null
    )
    if [[ $last == --*=* ]]; then
        COMPREPLY=("${COMPREPLY[@]#"${last%%=*}="}")
    fi
    case ${COMPREPLY[0]-} in
    $'\1'*)
        at=${starts[${COMPREPLY[0]#?}]}
        COMPREPLY=()
        IFS=$' \t\n'
        if declare -F _command_offset >/dev/null; then
            _command_offset "$at"
        elif ((COMP_CWORD == at)); then
            mapfile -t COMPREPLY < <(compgen -c -- "$2")
        else
            _recover_command "$at" "$2" "$3"
        fi
        ;;
    *)
        [[ ${COMPREPLY[0]-} != *[=/:] ]] || compopt -o nospace 2>/dev/null
        # What is inserted is one word, and nothing that the shell would run.
        for at in "${!COMPREPLY[@]}"; do
            if [[ ${COMPREPLY[at]} == *[!A-Za-z0-9_./:,@%+=-]* ]]; then
                printf -v COMPREPLY[at] %q "${COMPREPLY[at]}"
            fi
        done
        ;;
    esac
}
complete -o bashdefault -F _recover recover
