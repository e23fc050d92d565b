package imap

// table is what the server understands, one row per command.
var table = map[string]row{}

func init() { // not a literal: handlers refer to the table through the session
	for _, r := range []row{
		{"CAPABILITY", anyState, refreshAll, (*session).cmdCapability},
		{"NOOP", anyState, refreshForced, (*session).cmdNoop},
		{"LOGOUT", anyState, refreshNone, (*session).cmdLogout},
		{"ID", anyState, refreshAll, (*session).cmdID},

		{"STARTTLS", notAuth, refreshNone, (*session).cmdStartTLS},
		{"LOGIN", notAuth, refreshNone, (*session).cmdLogin},
		{"AUTHENTICATE", notAuth, refreshNone, (*session).cmdAuthenticate},

		{"ENABLE", loggedIn, refreshNone, (*session).cmdEnable},
		{"NAMESPACE", loggedIn, refreshAll, (*session).cmdNamespace},
		{"LIST", loggedIn, refreshAll, (*session).cmdList},
		{"LSUB", loggedIn, refreshAll, (*session).cmdLsub},
		{"STATUS", loggedIn, refreshAll, (*session).cmdStatus},
		{"CREATE", loggedIn, refreshAll, (*session).cmdCreate},
		{"DELETE", loggedIn, refreshAll, (*session).cmdDelete},
		{"RENAME", loggedIn, refreshAll, (*session).cmdRename},
		{"SUBSCRIBE", loggedIn, refreshAll, (*session).cmdSubscribe},
		{"UNSUBSCRIBE", loggedIn, refreshAll, (*session).cmdUnsubscribe},
		{"SELECT", loggedIn, refreshNone, (*session).cmdSelect},
		{"EXAMINE", loggedIn, refreshNone, (*session).cmdExamine},
		{"SETACL", loggedIn, refreshAll, (*session).cmdSetACL},
		{"DELETEACL", loggedIn, refreshAll, (*session).cmdDeleteACL},
		{"GETACL", loggedIn, refreshAll, (*session).cmdGetACL},
		{"LISTRIGHTS", loggedIn, refreshAll, (*session).cmdListRights},
		{"MYRIGHTS", loggedIn, refreshAll, (*session).cmdMyRights},
		{"IDLE", loggedIn, refreshAll, (*session).cmdIdle},

		{"CHECK", selectedState, refreshForced, (*session).cmdNoop},
		{"CLOSE", selectedState, refreshNone, (*session).cmdClose},
		{"UNSELECT", selectedState, refreshNone, (*session).cmdUnselect},

		{"APPEND", loggedIn, refreshAll, (*session).cmdAppend},
		{"FETCH", selectedState, refreshFlags, (*session).cmdFetch},
		{"UID FETCH", selectedState, refreshAll, (*session).cmdFetch},
		{"STORE", selectedState, refreshFlags, (*session).cmdStore},
		{"UID STORE", selectedState, refreshAll, (*session).cmdStore},
		{"SEARCH", selectedState, refreshFlags, (*session).cmdSearch},
		{"UID SEARCH", selectedState, refreshAll, (*session).cmdSearch},
		{"COPY", selectedState, refreshAll, (*session).cmdCopy},
		{"UID COPY", selectedState, refreshAll, (*session).cmdCopy},
		{"MOVE", selectedState, refreshForced, (*session).cmdMove},
		{"UID MOVE", selectedState, refreshForced, (*session).cmdMove},
		{"EXPUNGE", selectedState, refreshForced, (*session).cmdExpunge},
		{"UID EXPUNGE", selectedState, refreshForced, (*session).cmdExpunge},
	} {
		table[r.name] = r
	}
}
