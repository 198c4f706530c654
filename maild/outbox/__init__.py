"""The outbox: the mails that a decision asks for are written here, with their deliveries.

    posts (what to tell, about which ticket) -> letters -> limits -> words -> compose -> mail, raw, delivery
            letters.py                                 counts.py  words.py             posting.py
                                                                  facts.py

Everything happens in the transaction of the decision, so a mail exists if and only if its cause does. Nothing is sent
here; the sender finds what is due. Automatic mail to customers is asked of `rules.limits` first; what may not be sent
is returned and kept in the ticket's history, never dropped in silence. An agent's answer is never refused.

A public answer is one mail with true To and Cc and one Message-ID; each recipient's delivery has his own signed
`Reply-To`, which the sender writes into his copy.
"""
