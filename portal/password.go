package portal

import "strings"

// guessable reports whether a password is one of those that are tried first:
// the address itself, one sign or a short run over and over, a row of the
// keyboard or of the alphabet.
func guessable(password, address string) bool {
	p := strings.ToLower(password)
	local, domain, _ := strings.Cut(strings.ToLower(address), "@")
	if rest := strings.ReplaceAll(strings.ReplaceAll(p, local+"@"+domain, ""), local, ""); len(local) > 2 && len(rest) < 6 || p == domain {
		return true
	}
	for n := 1; n <= 4; n++ {
		if len(p) >= n && strings.Trim(strings.ReplaceAll(p, p[:n], ""), " ") == "" {
			return true
		}
	}
	for _, row := range []string{"abcdefghijklmnopqrstuvwxyz", "01234567890123456789", "98765432109876543210",
		"qwertyuiopasdfghjklzxcvbnm", "azertyuiopqsdfghjklmwxcvbn"} {
		if strings.Contains(row, p) {
			return true
		}
	}
	for _, word := range []string{"password", "motdepasse", "wachtwoord", "essaim", "welcome", "bienvenue", "welkom", "iloveyou", "azerty", "qwerty"} {
		if rest := strings.Trim(strings.Replace(p, word, "", 1), "0123456789!.?-_ "); strings.Contains(p, word) && rest == "" {
			return true
		}
	}
	return false
}
